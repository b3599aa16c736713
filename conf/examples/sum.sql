-- A running sum over everything that has arrived: each new value updates the one result row.
CREATE TABLE my_source (
  `value` BIGINT
) WITH (
  'connector' = 'kafka',
  'topic' = 'numbers',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

SELECT sum(`value`) FROM my_source;
