-- The average of each sensor over the last 30 seconds, every 10 seconds.
CREATE TABLE readings (
  sensor STRING,
  temperature DOUBLE,
  ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'readings',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

CREATE TABLE averages (
  sensor STRING,
  window_start TIMESTAMP(3),
  window_end TIMESTAMP(3),
  average DOUBLE
) WITH (
  'connector' = 'kafka',
  'topic' = 'averages',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);

INSERT INTO averages
SELECT sensor, window_start, window_end, AVG(temperature)
FROM TABLE(HOP(TABLE readings, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '30' SECOND))
GROUP BY window_start, window_end, sensor;
