"""What the default tone engine needs at run time: n-grams, weights, the model card."""
