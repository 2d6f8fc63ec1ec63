"""Where bundles come from: a folder, a `.tar.gz`, or a bundle server.

source      what a source is, and the one that fits the settings
"""
