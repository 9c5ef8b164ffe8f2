"""Commands about this machine: calibration, scores and the doctor."""
