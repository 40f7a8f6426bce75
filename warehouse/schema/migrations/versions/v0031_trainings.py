"""Trainings, the versions and aliases of their models, and which files of models may go."""

from __future__ import annotations

from alembic import op

revision = "0031"
down_revision = "0030"

TABLES = r"""
CREATE TABLE ops.training (
    scene_id uuid NOT NULL,
    name text NOT NULL,
    done integer DEFAULT 0 NOT NULL,
    doing text,
    attempts integer DEFAULT 0 NOT NULL,
    asked_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone,
    ended_at timestamp with time zone,
    told_at timestamp with time zone,
    error_class text,
    error_sentence text,
    version integer,
    CONSTRAINT training_pkey PRIMARY KEY (scene_id),
    CONSTRAINT training_scene_id_fkey FOREIGN KEY (scene_id) REFERENCES ops.scene (scene_id),
    CONSTRAINT training_counts_check CHECK (done >= 0 AND attempts >= 0),
    CONSTRAINT training_error_check CHECK ((error_class IS NULL) = (error_sentence IS NULL)),
    CONSTRAINT training_ended_check CHECK (
        ended_at IS NOT NULL OR (error_class IS NULL AND version IS NULL AND told_at IS NULL))
);
CREATE INDEX training_asked_at_idx ON ops.training (asked_at, scene_id) WHERE ended_at IS NULL;
CREATE INDEX training_untold_idx ON ops.training (ended_at)
    WHERE ended_at IS NOT NULL AND told_at IS NULL;
COMMENT ON TABLE ops.training IS 'a scene of kind train, and how far it is. Grain: scene_id';
COMMENT ON COLUMN ops.training.done IS 'of the fits that ops.scene has as its runs';
COMMENT ON COLUMN ops.training.attempts IS 'processes that ended since it last got anywhere';

CREATE TABLE ops.training_part (
    scene_id uuid NOT NULL,
    key text NOT NULL,
    content bytea NOT NULL,
    made_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT training_part_pkey PRIMARY KEY (scene_id, key),
    CONSTRAINT training_part_scene_id_fkey FOREIGN KEY (scene_id)
        REFERENCES ops.training (scene_id)
);
ALTER TABLE ops.training_part ALTER COLUMN content SET STORAGE EXTERNAL;
COMMENT ON TABLE ops.training_part IS
    'a fit of a training that has not ended: it goes on from these. Grain: scene_id, key';

CREATE TABLE ops.model_version (
    name text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    sha256 text NOT NULL,
    kind text NOT NULL,
    training_hash text NOT NULL,
    trial_group text NOT NULL,
    trained_through timestamp with time zone NOT NULL,
    scores jsonb NOT NULL,
    verdict text NOT NULL,
    card text NOT NULL,
    report text NOT NULL,
    scene_id uuid,
    mlflow_run_id text,
    registered_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT model_version_pkey PRIMARY KEY (name, version),
    CONSTRAINT model_version_name_sha256_key UNIQUE (name, sha256),
    CONSTRAINT model_version_scene_id_fkey FOREIGN KEY (scene_id) REFERENCES ops.scene (scene_id),
    CONSTRAINT model_version_version_check CHECK (version > 0),
    CONSTRAINT model_version_sha256_check CHECK (sha256 ~ '^[0-9a-f]{64}$')
);
CREATE INDEX model_version_trial_group_idx ON ops.model_version (trial_group);
COMMENT ON TABLE ops.model_version IS
    'a registered model: a trial of its group for ever. Grain: name, version';
COMMENT ON COLUMN ops.model_version.trial_group IS
    'what trainings share that were chosen among: their instruments and interval';
COMMENT ON COLUMN ops.model_version.scene_id IS 'the scene that trained it; null for one elsewhere';

CREATE TABLE ops.model_alias (
    name text COLLATE "C" NOT NULL,
    alias text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    set_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT model_alias_pkey PRIMARY KEY (name, alias),
    CONSTRAINT model_alias_name_version_fkey FOREIGN KEY (name, version)
        REFERENCES ops.model_version (name, version)
);
COMMENT ON TABLE ops.model_alias IS 'which version is champion, say. Grain: name, alias';
COMMENT ON COLUMN ops.model_file.kept_at IS 'when a scene, a session or an alias named it last';
"""

# A reference is `models:/NAME/VERSION#SHA-256` where it is pinned. What is asked once more is kept
# by the planner again, which moves `kept_at`: so nothing goes between that and the scene's row.
FUNCTIONS = r"""
CREATE FUNCTION ops.idle_model_files(days integer)
RETURNS TABLE (sha256 text, bytes bigint) LANGUAGE sql STABLE
AS $$
    WITH named AS MATERIALIZED (
        SELECT v.sha256 FROM ops.model_alias a
        JOIN ops.model_version v ON v.name = a.name AND v.version = a.version
        UNION
        SELECT right(q.params->>'model', 64) FROM ops.run q WHERE q.strategy = 'forecast'
        UNION
        SELECT found.parts[1] FROM ops.scene s,
            LATERAL regexp_matches(s.content::text, '#([0-9a-f]{64})', 'g') AS found (parts)
        WHERE s.status IN ('received', 'planned')
        UNION
        SELECT found.parts[1] FROM ops.session t,
            LATERAL regexp_matches(t.document, '#([0-9a-f]{64})', 'g') AS found (parts)
    )
    SELECT f.sha256, octet_length(f.content)::bigint FROM ops.model_file f
    WHERE f.kept_at < now() - make_interval(days => days)
      AND NOT EXISTS (SELECT FROM named n WHERE n.sha256 = f.sha256)
$$;
COMMENT ON FUNCTION ops.idle_model_files IS
    'files of models that no alias, stored run, scene under way or session names';

CREATE FUNCTION ops.prune_model_files(days integer)
RETURNS TABLE (files bigint, bytes bigint)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    WITH idle AS MATERIALIZED (SELECT * FROM ops.idle_model_files(greatest(days, 1))),
    gone AS (
        DELETE FROM ops.model_file f USING idle
        WHERE f.sha256 = idle.sha256
          AND f.kept_at < now() - make_interval(days => greatest(days, 1))
        RETURNING idle.bytes
    )
    SELECT count(*), coalesce(sum(gone.bytes), 0)::bigint FROM gone
$$;
REVOKE ALL ON FUNCTION ops.prune_model_files(integer) FROM PUBLIC;
"""


def upgrade() -> None:
    """Create them."""
    op.get_bind().exec_driver_sql(TABLES + FUNCTIONS)


def downgrade() -> None:
    """Take them away: MLflow has what is registered, and trainings under way are lost."""
    op.get_bind().exec_driver_sql("""
        DROP FUNCTION ops.prune_model_files(integer), ops.idle_model_files(integer);
        DROP TABLE ops.model_alias, ops.model_version, ops.training_part, ops.training;
        COMMENT ON COLUMN ops.model_file.kept_at IS NULL;
    """)
