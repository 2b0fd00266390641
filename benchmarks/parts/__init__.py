"""Parts of PRISM, removed and added one by one at equal size."""
