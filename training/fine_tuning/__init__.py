"""Fine-tuning of a pack's base model on a folder of clips: whole, or by low-rank adapters (LoRA)."""
