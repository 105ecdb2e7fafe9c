"""From a source's patients to the cohort: selection with its attrition, description by arm, and the split that privacy is attacked on."""
