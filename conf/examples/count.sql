-- How many events in each 10-second window: topic to topic. The event time is the record's own timestamp.
CREATE TABLE events (
  payload STRING,
  ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
  WATERMARK FOR ts AS ts
) WITH (
  'connector' = 'kafka',
  'topic' = 'events',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'raw'
);

CREATE TABLE event_counts (
  window_start TIMESTAMP(3),
  window_end TIMESTAMP(3),
  events BIGINT
) WITH (
  'connector' = 'kafka',
  'topic' = 'event-counts',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'csv'
);

INSERT INTO event_counts
SELECT window_start, window_end, COUNT(*)
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '10' SECOND))
GROUP BY window_start, window_end;
