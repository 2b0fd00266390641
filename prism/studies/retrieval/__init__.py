"""PRISM and facts outside its weights: training the questions, measuring the answers."""
