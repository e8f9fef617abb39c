"""What holds for every test? Hypothesis searches without a deadline, for a slow machine is no failure."""

from hypothesis import HealthCheck, settings

settings.register_profile("headwater", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("headwater")
