"""What the providers' OAuth has in common: grants, signing, redirect addresses, browser sessions, pages."""
