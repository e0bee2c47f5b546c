-- Of the tries, those that ended lately: what the samples of the queues are made from.

CREATE INDEX job_runs_ended ON job_runs (ended_at);
