"""What this machine has and can do: one small file a subject, each giving findings. Used by `lpm doctor` and the studio."""
