"""What a user asks for, end to end: pretrain, adapt, translate, evaluate, demo.

No terminal, no exit.
"""
