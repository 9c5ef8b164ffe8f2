"""What is known of this machine: calibration, scores and the doctor."""
