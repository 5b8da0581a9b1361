"""Zero-row bootstrap: does every asset of a graph fit the tables before it?"""
