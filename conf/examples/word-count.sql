-- Word count in 5-second windows: lines of text in, one row per word and window out.
--   kcat -b localhost:9092 -P -t lines      then type {"line":"to be or not to be","ts":"2026-01-01 10:00:01"}
CREATE TABLE `lines` (
  line STRING,
  ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'lines',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

CREATE VIEW words AS
SELECT LOWER(word) AS word, ts FROM `lines` CROSS JOIN UNNEST(SPLIT(line, ' ')) AS t (word);

CREATE TABLE word_counts (
  word STRING,
  window_start TIMESTAMP(3),
  window_end TIMESTAMP(3),
  occurrences BIGINT
) WITH (
  'connector' = 'kafka',
  'topic' = 'word-counts',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);

INSERT INTO word_counts
SELECT word, window_start, window_end, COUNT(*)
FROM TABLE(TUMBLE(TABLE words, DESCRIPTOR(ts), INTERVAL '5' SECOND))
GROUP BY window_start, window_end, word;
