"""The classifiers of torchvision, which takes seconds to import: only when one is asked for."""
