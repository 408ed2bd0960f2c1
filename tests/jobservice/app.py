"""The Celery application of the fault tests' workers and clocks: the real one, with the tests' jobs, and a broker that
gives messages to somebody else after two seconds."""

import tests.jobservice.jobtypes  # noqa: F401 - registers job types before the queues are made
from harbor_core.celery import app

app.conf.broker_transport_options = {**app.conf.broker_transport_options, "visibility_timeout": 2}
