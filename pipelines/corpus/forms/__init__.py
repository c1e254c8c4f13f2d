"""The forms in which a corpus comes: folders, manifests, split lists, archives."""
