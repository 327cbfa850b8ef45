"""The API's requests and answers."""
