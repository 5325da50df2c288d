"""The causal video VAE of Wan2.1, as our own classes: the codec of every preset but `tiny`."""
