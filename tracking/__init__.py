"""Opens and clicks. Empty until the first tracking feature is built; the name is the owner's."""
