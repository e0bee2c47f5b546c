-- The audit is read newest first, of everybody or by who, what and to what.

CREATE INDEX operator_actions_newest ON operator_actions (at DESC, id DESC);
CREATE INDEX operator_actions_action ON operator_actions (action, at DESC, id DESC);
CREATE INDEX operator_actions_by ON operator_actions (actor, at DESC, id DESC);
CREATE INDEX operator_actions_to ON operator_actions (target, at DESC, id DESC);
DROP INDEX operator_actions_actor;
DROP INDEX operator_actions_target;
