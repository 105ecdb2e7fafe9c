"""Several sites, one study: what a site may tell the others, and what the sites say together."""
