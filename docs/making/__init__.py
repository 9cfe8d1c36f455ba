"""What the site, the editions and the addresses are made with; no part of the package."""
