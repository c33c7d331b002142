"""What a page shows, as tests ask for it."""


def address(test):
    """The page's address: what a test put there stands in a list, what the page wrote does not."""
    held = test.query_params.items()
    return {name: text if isinstance(text, str) else text[0] for name, text in held}
