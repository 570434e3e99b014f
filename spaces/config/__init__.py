"""One trial: frozen, hashed and validated. How it is drawn is for `spaces/space`, how it is
trained for the workers."""
