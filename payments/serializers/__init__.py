"""The serializers of the payments API."""
