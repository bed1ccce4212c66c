"""What a user asks for, end to end: pretrain, adapt, translate, demo. No terminal, no exit."""
