"""The steps of a build, in the order in which its graph has them."""
