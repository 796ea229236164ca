"""The simulated Google: its OAuth."""
