"""Certification: studies with a known effect through the whole chain, so that a pass of the agreement gate is worth what it says."""
