"""The loop around a step: optimisers, the moving average, resumable state, device, health."""
