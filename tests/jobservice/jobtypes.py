"""The tests' job types. No database is needed to register them."""

from jobservice.jobs import JOB_TYPES, JobType, register

HERE = "tests.jobservice.jobs"
TYPES = (
    JobType("TEST", f"{HERE}.steps", attempts=3, retry_seconds=1, lives=50),
    JobType("TEST_URGENT", f"{HERE}.steps", interactive=True),
    JobType("TEST_ALONE", f"{HERE}.steps", limit=1),
    JobType("TEST_FAILS", f"{HERE}.fails", attempts=3),
    JobType("TEST_RETRIES", f"{HERE}.retries", attempts=3, retry_seconds=10),
    JobType("TEST_BREAKS", f"{HERE}.breaks", attempts=1),
    JobType("TEST_PLANS", f"{HERE}.plans"),
    JobType("TEST_ASKS", f"{HERE}.asks"),
    JobType("TEST_DEAF", f"{HERE}.deaf"),
    JobType("TEST_FRAIL", f"{HERE}.steps", lives=2),
)
for _kind in TYPES:
    if _kind.name not in JOB_TYPES:
        register(_kind)
