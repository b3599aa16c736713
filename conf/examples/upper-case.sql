-- A map from topic to topic: every line, in capitals.
CREATE TABLE shout_in (
  line STRING
) WITH (
  'connector' = 'kafka',
  'topic' = 'whispers',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'raw'
);

CREATE TABLE shout_out (
  line STRING
) WITH (
  'connector' = 'kafka',
  'topic' = 'shouts',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'raw'
);

INSERT INTO shout_out SELECT UPPER(line) FROM shout_in;
