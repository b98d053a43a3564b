"""A plugin of pytest: with ORD=rev in the environment the tests run backwards."""
import os


def pytest_collection_modifyitems(items):
    if os.environ.get("ORD") == "rev":
        items.reverse()
