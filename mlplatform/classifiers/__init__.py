"""Models of Hugging Face's Transformers that classify or find objects, on their way into the registry."""
