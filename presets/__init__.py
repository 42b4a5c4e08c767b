"""Published settings, each as what it changes in the default parameters (`default.yaml`)."""
