-- A ledger with a million attempts and a million jobs, as after a bad day: 200,000 jobs are dead, 100,000 wait
-- for another try, the others wait for their turn. Run by scripts/plans on an empty, migrated database.

SET synchronous_commit = off;
SELECT setseed(0.5);

INSERT INTO users (user_id, username, email, full_name, is_active, created_at, updated_at)
SELECT i, 'u' || i, 'u' || i || '@example.com', 'Learner', true, now(), now() FROM generate_series(1, 100000) AS i;

-- One attempt every 10 seconds, the newest now. Most are settled.
INSERT INTO attempts (receipt_id, user_id, status, name, created_at, updated_at, submitted_at, error_code)
SELECT md5('attempt' || i)::uuid, 1 + i % 100000,
       CASE WHEN i % 100 < 60 THEN 'approved' WHEN i % 100 < 75 THEN 'denied' WHEN i % 100 < 85 THEN 'submitted'
            WHEN i % 100 < 95 THEN 'must_retry' WHEN i % 100 < 98 THEN 'ready' ELSE 'created' END,
       'Learner', now() - make_interval(secs => 10.0 * (1000000 - i)), now() - make_interval(secs => 10.0 * (1000000 - i)),
       CASE WHEN i % 100 < 95 THEN now() - make_interval(secs => 10.0 * (1000000 - i) - 5) END,
       CASE WHEN i % 100 BETWEEN 60 AND 74 THEN 'EDX-' || i % 7 WHEN i = 4242 THEN 'RARE' ELSE '' END
FROM generate_series(1, 1000000) AS i;

INSERT INTO error_groups (fingerprint, queue, kind, error_class, error_code, message)
SELECT lpad(to_hex(g), 16, '0'), queue, kind, class, code, class || ' ' || code || ' of sort ' || g
FROM generate_series(1, 300) AS g,
     LATERAL (SELECT CASE WHEN g % 10 < 7 THEN 'vendor' WHEN g % 10 < 9 THEN 'mail' ELSE 'photos' END AS queue) AS q,
     LATERAL (SELECT CASE q.queue WHEN 'vendor' THEN 'submit_to_vendor' WHEN 'mail' THEN 'send_email' ELSE 'prepare_photos' END AS kind,
                     CASE WHEN g = 300 THEN 'rare' WHEN g % 3 = 0 THEN 'network' WHEN g % 3 = 1 THEN 'vendor_busy' ELSE 'vendor_refused' END AS class,
                     CASE WHEN g = 300 THEN '418' WHEN g % 3 = 0 THEN '' WHEN g % 3 = 1 THEN '503' ELSE '400' END AS code) AS c;

-- The dead: of the older attempts, half of them in two groups. The trigger that tallies is not what is measured.
ALTER TABLE jobs DISABLE TRIGGER USER;
INSERT INTO jobs (queue, kind, args, due_at, created_at, failed_at, dead_at, failures, error_class, error_code, last_error, fingerprint, subject)
SELECT g.queue, g.kind, '{"v": 1}', born, born, died, died, 12, g.error_class, g.error_code, g.message, g.fingerprint,
       md5('attempt' || (100000 + 2 * i))::uuid
FROM generate_series(1, 200000) AS i,
     LATERAL (SELECT now() - make_interval(secs => 10.0 * (900000 - 2 * i)) AS born,
                     now() - make_interval(secs => 10.0 * (900000 - 2 * i) - 3600) AS died,
                     CASE WHEN i % 4 < 2 THEN 1 + i % 2 WHEN i = 100002 THEN 300 ELSE 3 + i % 297 END AS number) AS t
JOIN error_groups AS g ON g.fingerprint = lpad(to_hex(t.number), 16, '0');
INSERT INTO dead_tallies (queue, fingerprint, jobs, first_at, last_at)
SELECT queue, fingerprint, count(*), min(dead_at), max(dead_at) FROM jobs WHERE dead_at IS NOT NULL GROUP BY queue, fingerprint;
ALTER TABLE jobs ENABLE TRIGGER USER;

-- What failed and will be tried again within the hour.
INSERT INTO jobs (queue, kind, args, due_at, created_at, failed_at, failures, error_class, error_code, last_error, fingerprint, subject)
SELECT 'vendor', 'submit_to_vendor', '{"v": 1}', now() + make_interval(secs => random() * 3600), born, born, 3,
       g.error_class, g.error_code, g.message, g.fingerprint, md5('attempt' || (800000 + i))::uuid
FROM generate_series(1, 100000) AS i,
     LATERAL (SELECT now() - make_interval(secs => 10.0 * (200000 - i)) AS born, 1 + i % 2 AS number) AS t
JOIN error_groups AS g ON g.fingerprint = lpad(to_hex(t.number), 16, '0');

-- What waits for its turn: most of it photos, as when no worker of that queue runs; mails; a few callbacks.
INSERT INTO jobs (queue, kind, args, due_at, created_at, subject)
SELECT queue, kind, '{"v": 1}', born, born, md5('attempt' || (300000 + i))::uuid
FROM generate_series(1, 699000) AS i,
     LATERAL (SELECT now() - make_interval(secs => 10.0 * (700000 - i)) AS born,
                     CASE WHEN i % 1000 = 0 THEN 'results' WHEN i % 10 < 7 THEN 'photos' ELSE 'mail' END AS queue) AS q,
     LATERAL (SELECT CASE q.queue WHEN 'results' THEN 'apply_vendor_result' WHEN 'photos' THEN 'prepare_photos' ELSE 'send_email' END AS kind) AS k;
-- In hand.
INSERT INTO jobs (queue, kind, args, due_at, created_at, ready_at, claimed_at, phase, subject)
SELECT 'vendor', 'submit_to_vendor', '{"v": 1}', now() + interval '60 seconds', now(), now(), now(),
       CASE WHEN i <= 50 THEN 'running' ELSE 'dispatched' END, md5('attempt' || (999000 + i))::uuid
FROM generate_series(1, 1000) AS i;

INSERT INTO operator_actions (at, actor, action, target, reason)
SELECT now() - make_interval(secs => i), 'key' || i % 20, CASE WHEN i = 777777 THEN 'queue.limit' ELSE 'job.retry' END, i::text, 'seeded'
FROM generate_series(1, 1000000) AS i;

VACUUM (ANALYZE) attempts, jobs, error_groups, dead_tallies, operator_actions;
