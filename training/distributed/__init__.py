"""One model over many processes: sharded weights, a split sequence, activations thrown away or moved (paper 5.1)."""
