"""The data set of the integration tests."""

from tests.integration.conftest import city, tiny_city

__all__ = ["city", "tiny_city"]
