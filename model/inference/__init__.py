"""A trained model in use: the bundle, classification, calibration, prediction."""
