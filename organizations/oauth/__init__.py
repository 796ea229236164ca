"""Our OAuth server: django-oauth-toolkit with its gaps closed. Issues tokens to add-ins; knows no provider's token."""
