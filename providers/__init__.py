"""The outside world: Salesforce, Google, Microsoft. Pure Python; knows neither Django nor database nor queue."""
