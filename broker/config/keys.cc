#include "broker/config/keys.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "broker/config/properties.h"
#include "protocol/check.h"

namespace millrace::broker {

namespace {

constexpr ConfigType BOOL = ConfigType::boolean;
constexpr ConfigType STR = ConfigType::string;
constexpr ConfigType INT = ConfigType::int32;
constexpr ConfigType SHORT = ConfigType::int16;
constexpr ConfigType LONG = ConfigType::int64;
constexpr ConfigType REAL = ConfigType::real;
constexpr ConfigType LIST = ConfigType::list;
constexpr ConfigType CLASS = ConfigType::class_name;
constexpr ConfigType PASS = ConfigType::password;
constexpr Tier on = Tier::honoured;
constexpr Tier later = Tier::later;
constexpr Tier none = Tier::ignored;
constexpr Dynamic fixed = Dynamic::no;
constexpr Dynamic own = Dynamic::per_broker;
constexpr Dynamic all = Dynamic::cluster;

// clang-format off
constexpr ConfigKey broker_table[] = {
  {"add.partitions.to.txn.retry.backoff.max.ms", INT, "100", later, fixed, ">=0", ""},
  {"add.partitions.to.txn.retry.backoff.ms", INT, "20", later, fixed, ">=1", ""},
  {"advertised.listeners", STR, nullptr, on, own, "", "The addresses given to clients; default: listeners."},
  {"alter.config.policy.class.name", CLASS, nullptr, on, fixed, "!class", ""},
  {"alter.log.dirs.replication.quota.window.num", INT, "11", later, fixed, ">=1", ""},
  {"alter.log.dirs.replication.quota.window.size.seconds", INT, "1", later, fixed, ">=1", ""},
  {"authorizer.class.name", STR, "", later, fixed, "", ""},
  {"auto.create.topics.enable", BOOL, "true", on, fixed, "", "Create a topic when a client asks for metadata of one that is missing."},
  {"auto.include.jmx.reporter", BOOL, "true", none, fixed, "", ""},
  {"auto.leader.rebalance.enable", BOOL, "true", later, fixed, "", ""},
  {"background.threads", INT, "10", none, all, ">=1", ""},
  {"broker.heartbeat.interval.ms", INT, "2000", later, fixed, "", ""},
  {"broker.id", INT, "-1", on, fixed, "", "The older name of node.id."},
  {"broker.rack", STR, nullptr, on, fixed, "", "The rack of this broker, told to clients."},
  {"broker.session.timeout.ms", INT, "9000", later, fixed, "", ""},
  {"client.quota.callback.class", CLASS, nullptr, on, fixed, "!class", ""},
  {"compression.gzip.level", INT, "-1", on, all, "", "Level for topics with compression.type=gzip."},
  {"compression.lz4.level", INT, "9", on, all, "1..17", "Level for topics with compression.type=lz4."},
  {"compression.type", STR, "producer", on, all, "uncompressed|zstd|lz4|snappy|gzip|producer", "Codec of the stored batches; producer keeps what was sent."},
  {"compression.zstd.level", INT, "3", on, all, "-131072..22", "Level for topics with compression.type=zstd."},
  {"config.providers", LIST, "", later, fixed, "", ""},
  {"connection.failed.authentication.delay.ms", INT, "100", later, fixed, ">=0", ""},
  {"connections.max.idle.ms", LONG, "600000", on, fixed, "", "Connections that were silent for so long are closed."},
  {"connections.max.reauth.ms", LONG, "0", later, fixed, "", ""},
  {"controlled.shutdown.enable", BOOL, "true", on, fixed, "", "Write the shutdown into the metadata log before stopping."},
  {"controller.listener.names", STR, nullptr, on, fixed, "", "Which listeners belong to the controller."},
  {"controller.performance.always.log.threshold.ms", LONG, "2000", none, fixed, ">=0", ""},
  {"controller.performance.sample.period.ms", LONG, "60000", none, fixed, ">=100", ""},
  {"controller.quorum.append.linger.ms", INT, "25", later, fixed, ">=0", ""},
  {"controller.quorum.auto.join.enable", BOOL, "false", later, fixed, "", ""},
  {"controller.quorum.bootstrap.servers", LIST, "", on, fixed, "", "Where the controllers are; a single node needs only itself."},
  {"controller.quorum.election.backoff.max.ms", INT, "1000", later, fixed, ">=0", ""},
  {"controller.quorum.election.timeout.ms", INT, "1000", later, fixed, ">=0", ""},
  {"controller.quorum.fetch.timeout.ms", INT, "2000", later, fixed, ">=0", ""},
  {"controller.quorum.request.timeout.ms", INT, "2000", later, fixed, ">=0", ""},
  {"controller.quorum.retry.backoff.ms", INT, "20", later, fixed, ">=0", ""},
  {"controller.quorum.voters", LIST, "", on, fixed, "", "Voters of a static quorum, id@host:port."},
  {"controller.quota.window.num", INT, "11", later, fixed, ">=1", ""},
  {"controller.quota.window.size.seconds", INT, "1", later, fixed, ">=1", ""},
  {"controller.socket.timeout.ms", INT, "30000", later, fixed, "", ""},
  {"cordoned.log.dirs", LIST, "", later, own, "", ""},
  {"create.topic.policy.class.name", CLASS, nullptr, on, fixed, "!class", ""},
  {"default.replication.factor", INT, "1", on, fixed, ">=1", "Replicas of topics that do not say."},
  {"delegation.token.expiry.check.interval.ms", LONG, "3600000", later, fixed, ">=1", ""},
  {"delegation.token.expiry.time.ms", LONG, "86400000", later, fixed, ">=1", ""},
  {"delegation.token.max.lifetime.ms", LONG, "604800000", later, fixed, ">=1", ""},
  {"delegation.token.secret.key", PASS, nullptr, later, fixed, "", ""},
  {"delete.records.purgatory.purge.interval.requests", INT, "1", none, fixed, "", ""},
  {"delete.topic.enable", BOOL, "true", on, fixed, "", "Whether DeleteTopics is allowed."},
  {"early.start.listeners", STR, nullptr, later, fixed, "", ""},
  {"eligible.leader.replicas.enable", BOOL, "false", none, fixed, "", ""},
  {"fetch.max.bytes", INT, "57671680", on, fixed, ">=1024", "The most that one fetch answers."},
  {"fetch.purgatory.purge.interval.requests", INT, "1000", none, fixed, "", ""},
  {"follower.fetch.last.tiered.offset.enable", BOOL, "false", later, fixed, "", ""},
  {"group.consumer.assignors", LIST, "uniform,range", later, fixed, "", ""},
  {"group.consumer.assignment.interval.ms", INT, "1000", later, all, ">=0", ""},
  {"group.consumer.heartbeat.interval.ms", INT, "5000", later, all, ">=1", ""},
  {"group.consumer.max.heartbeat.interval.ms", INT, "15000", later, fixed, ">=1", ""},
  {"group.consumer.max.session.timeout.ms", INT, "60000", later, fixed, ">=1", ""},
  {"group.consumer.max.size", INT, "2147483647", later, fixed, ">=1", ""},
  {"group.consumer.migration.policy", STR, "bidirectional", later, fixed, "bidirectional|disabled|downgrade|upgrade", ""},
  {"group.consumer.min.heartbeat.interval.ms", INT, "5000", later, fixed, ">=1", ""},
  {"group.consumer.min.session.timeout.ms", INT, "45000", later, fixed, ">=1", ""},
  {"group.consumer.regex.refresh.interval.ms", INT, "600000", later, fixed, ">=10000", ""},
  {"group.consumer.session.timeout.ms", INT, "45000", later, all, ">=1", ""},
  {"group.coordinator.append.linger.ms", INT, "-1", none, fixed, ">=-1", ""},
  {"group.coordinator.background.threads", INT, "2", none, fixed, ">=1", ""},
  {"group.coordinator.cached.buffer.max.bytes", INT, "1048588", none, all, ">=524288", ""},
  {"group.coordinator.rebalance.protocols", LIST, "classic,consumer,share,streams", on, fixed, "{classic|consumer|share|streams}", "Which group protocols are served."},
  {"group.coordinator.threads", INT, "4", none, fixed, ">=1", ""},
  {"group.initial.rebalance.delay.ms", INT, "3000", on, fixed, "", "How long a new group waits for further members."},
  {"group.max.session.timeout.ms", INT, "1800000", on, fixed, "", "The longest session timeout of a member."},
  {"group.max.size", INT, "2147483647", on, fixed, ">=1", "The most members of a group."},
  {"group.min.session.timeout.ms", INT, "6000", on, fixed, "", "The shortest session timeout of a member."},
  {"group.share.assignment.interval.ms", INT, "1000", later, all, ">=0", ""},
  {"group.share.assignors", LIST, "simple", later, fixed, "", ""},
  {"group.share.delivery.count.limit", INT, "5", later, fixed, "2..10", ""},
  {"group.share.heartbeat.interval.ms", INT, "5000", later, all, ">=1", ""},
  {"group.share.max.heartbeat.interval.ms", INT, "15000", later, fixed, ">=1", ""},
  {"group.share.max.record.lock.duration.ms", INT, "60000", later, fixed, "30000..3600000", ""},
  {"group.share.max.session.timeout.ms", INT, "60000", later, fixed, ">=1", ""},
  {"group.share.max.share.sessions", INT, "2000", later, fixed, ">=1", ""},
  {"group.share.max.size", INT, "200", later, fixed, "1..1000", ""},
  {"group.share.min.heartbeat.interval.ms", INT, "5000", later, fixed, ">=1", ""},
  {"group.share.min.record.lock.duration.ms", INT, "15000", later, fixed, "1000..30000", ""},
  {"group.share.min.session.timeout.ms", INT, "45000", later, fixed, ">=1", ""},
  {"group.share.partition.max.record.locks", INT, "2000", later, fixed, "100..10000", ""},
  {"group.share.persister.class.name", STR, "org.apache.kafka.server.share.persister.DefaultStatePersister", on, fixed, "!class org.apache.kafka.server.share.persister.DefaultStatePersister", ""},
  {"group.share.record.lock.duration.ms", INT, "30000", later, fixed, "1000..3600000", ""},
  {"group.share.session.timeout.ms", INT, "45000", later, all, ">=1", ""},
  {"group.streams.assignment.interval.ms", INT, "1000", later, all, ">=0", ""},
  {"group.streams.heartbeat.interval.ms", INT, "5000", later, all, ">=1", ""},
  {"group.streams.initial.rebalance.delay.ms", INT, "3000", later, all, ">=0", ""},
  {"group.streams.max.heartbeat.interval.ms", INT, "15000", later, fixed, ">=1", ""},
  {"group.streams.max.session.timeout.ms", INT, "60000", later, fixed, ">=1", ""},
  {"group.streams.max.size", INT, "2147483647", later, fixed, ">=1", ""},
  {"group.streams.max.standby.replicas", INT, "2", later, fixed, ">=0", ""},
  {"group.streams.min.heartbeat.interval.ms", INT, "5000", later, fixed, ">=1", ""},
  {"group.streams.min.session.timeout.ms", INT, "45000", later, fixed, ">=1", ""},
  {"group.streams.num.standby.replicas", INT, "0", later, all, ">=0", ""},
  {"group.streams.session.timeout.ms", INT, "45000", later, all, ">=1", ""},
  {"initial.broker.registration.timeout.ms", INT, "60000", later, fixed, "", ""},
  {"inter.broker.listener.name", STR, nullptr, on, fixed, "", "The listener brokers use among themselves."},
  {"kafka.metrics.polling.interval.secs", INT, "10", none, fixed, ">=1", ""},
  {"kafka.metrics.reporters", LIST, "", none, fixed, "", ""},
  {"leader.imbalance.check.interval.seconds", LONG, "300", later, fixed, ">=1", ""},
  {"listener.security.protocol.map", STR, "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT", on, own, "", "The protocol of each listener name."},
  {"listeners", STR, "PLAINTEXT://:9092", on, own, "", "Where to listen: NAME://host:port, …"},
  {"log.cleaner.backoff.ms", LONG, "15000", later, all, ">=0", ""},
  {"log.cleaner.dedupe.buffer.size", LONG, "134217728", later, all, "", ""},
  {"log.cleaner.delete.retention.ms", LONG, "86400000", later, all, ">=0", "How long tombstones stay."},
  {"log.cleaner.enable", BOOL, "true", later, fixed, "", ""},
  {"log.cleaner.io.buffer.load.factor", REAL, "0.9", none, all, "", ""},
  {"log.cleaner.io.buffer.size", INT, "524288", none, all, ">=0", ""},
  {"log.cleaner.io.max.bytes.per.second", REAL, "1.7976931348623157E308", later, all, "", ""},
  {"log.cleaner.max.compaction.lag.ms", LONG, "9223372036854775807", later, all, ">=1", ""},
  {"log.cleaner.min.cleanable.ratio", REAL, "0.5", later, all, "0..1", ""},
  {"log.cleaner.min.compaction.lag.ms", LONG, "0", later, all, ">=0", ""},
  {"log.cleaner.threads", INT, "1", none, all, ">=0", ""},
  {"log.cleanup.policy", LIST, "delete", on, all, "{compact|delete}", "What happens to old records."},
  {"log.dir", LIST, "/tmp/kafka-logs", on, fixed, "", "The directory of the logs when log.dirs is not given."},
  {"log.dir.failure.timeout.ms", LONG, "30000", later, fixed, ">=1", ""},
  {"log.dirs", LIST, nullptr, on, fixed, "", "The directories of the logs."},
  {"log.flush.interval.messages", LONG, "9223372036854775807", on, all, ">=1", "Sync after so many records."},
  {"log.flush.interval.ms", LONG, nullptr, on, all, "", "Sync after so long."},
  {"log.flush.offset.checkpoint.interval.ms", INT, "60000", on, fixed, ">=0", "How often recovery points are written."},
  {"log.flush.scheduler.interval.ms", LONG, "9223372036854775807", on, fixed, "", ""},
  {"log.flush.start.offset.checkpoint.interval.ms", INT, "60000", on, fixed, ">=0", "How often log starts are written."},
  {"log.index.interval.bytes", INT, "4096", on, all, ">=0", "Distance of index entries."},
  {"log.index.size.max.bytes", INT, "10485760", on, all, ">=4", "Size of an index file."},
  {"log.initial.task.delay.ms", LONG, "30000", none, fixed, ">=0", ""},
  {"log.local.retention.bytes", LONG, "-2", later, all, ">=-2", ""},
  {"log.local.retention.ms", LONG, "-2", later, all, ">=-2", ""},
  {"log.message.timestamp.after.max.ms", LONG, "3600000", on, all, ">=0", "How far ahead of the clock a record may be."},
  {"log.message.timestamp.before.max.ms", LONG, "9223372036854775807", on, all, ">=0", "How far behind the clock a record may be."},
  {"log.message.timestamp.type", STR, "CreateTime", on, all, "CreateTime|LogAppendTime", "Whose clock stamps records."},
  {"log.preallocate", BOOL, "false", none, all, "", ""},
  {"log.retention.bytes", LONG, "-1", on, all, "", "How much a partition keeps; -1: no limit."},
  {"log.retention.check.interval.ms", LONG, "300000", on, fixed, ">=1", "How often old segments are looked for."},
  {"log.retention.hours", INT, "168", on, fixed, "", "How long records are kept."},
  {"log.retention.minutes", INT, nullptr, on, fixed, "", "How long records are kept; before log.retention.hours."},
  {"log.retention.ms", LONG, nullptr, on, all, "", "How long records are kept; before log.retention.minutes."},
  {"log.roll.hours", INT, "168", on, fixed, ">=1", "The longest time a segment is written to."},
  {"log.roll.jitter.hours", INT, "0", on, fixed, ">=0", ""},
  {"log.roll.jitter.ms", LONG, nullptr, on, all, "", ""},
  {"log.roll.ms", LONG, nullptr, on, all, "", "The longest time a segment is written to; before log.roll.hours."},
  {"log.segment.bytes", INT, "1073741824", on, all, ">=1048576", "The size of a segment."},
  {"log.segment.delete.delay.ms", LONG, "60000", on, all, ">=0", "How long deleted files stay."},
  {"max.connection.creation.rate", INT, "2147483647", later, all, ">=0", ""},
  {"max.connections", INT, "2147483647", on, all, ">=0", "The most connections."},
  {"max.connections.per.ip", INT, "2147483647", on, all, ">=0", "The most connections from one address."},
  {"max.connections.per.ip.overrides", STR, "", later, all, "", ""},
  {"max.incremental.fetch.session.cache.slots", INT, "1000", on, fixed, ">=0", "The most fetch sessions."},
  {"max.request.partition.size.limit", INT, "2000", on, fixed, ">=1", "The most partitions one DescribeTopicPartitions answers."},
  {"message.max.bytes", INT, "1048588", on, all, ">=0", "The largest record batch."},
  {"metadata.log.dir", STR, nullptr, on, fixed, "", "Where the metadata log is; default: the first of log.dirs."},
  {"metadata.log.max.record.bytes.between.snapshots", LONG, "20971520", later, fixed, ">=1", ""},
  {"metadata.log.max.snapshot.interval.ms", LONG, "3600000", later, fixed, ">=0", ""},
  {"metadata.log.segment.bytes", INT, "1073741824", on, fixed, ">=8388608", ""},
  {"metadata.log.segment.ms", LONG, "604800000", on, fixed, "", ""},
  {"metadata.max.idle.interval.ms", INT, "500", later, fixed, ">=0", ""},
  {"metadata.max.retention.bytes", LONG, "104857600", later, fixed, "", ""},
  {"metadata.max.retention.ms", LONG, "604800000", later, fixed, "", ""},
  {"metric.reporters", LIST, "org.apache.kafka.common.metrics.JmxReporter", none, all, "", ""},
  {"metrics.num.samples", INT, "2", none, fixed, ">=1", ""},
  {"metrics.recording.level", STR, "INFO", none, fixed, "", ""},
  {"metrics.sample.window.ms", LONG, "30000", none, fixed, ">=1", ""},
  {"millrace.ack.durability", STR, "durable", on, fixed, "durable|written", "What acks=all means: synced to the device, or handed to the operating system as Kafka does."},
  {"millrace.http.listener", STR, "127.0.0.1:8083", on, fixed, "", "Where the SQL gateway listens; empty: nowhere."},
  {"millrace.journal.bytes", LONG, "536870912", on, fixed, ">=0", "The most disk that makes acknowledgements durable beforehand, per log directory and shard; 0: every partition syncs its own files."},
  {"millrace.shards", INT, "1", on, fixed, "1..256", "Threads that own partitions."},
  {"min.insync.replicas", INT, "1", on, all, ">=1", "Replicas that must have a record before acks=all is answered."},
  {"node.id", INT, nullptr, on, fixed, ">=0", "The id of this node."},
  {"num.io.threads", INT, "8", none, all, ">=1", ""},
  {"num.network.threads", INT, "3", none, all, ">=1", ""},
  {"num.partitions", INT, "1", on, fixed, ">=1", "Partitions of topics that do not say."},
  {"num.quota.samples", INT, "11", none, fixed, ">=1", ""},
  {"num.recovery.threads.per.data.dir", INT, "2", none, all, ">=1", ""},
  {"num.replica.alter.log.dirs.threads", INT, nullptr, none, fixed, "", ""},
  {"num.replica.fetchers", INT, "1", none, all, "", ""},
  {"offset.metadata.max.bytes", INT, "4096", on, fixed, "", "The longest text committed with an offset."},
  {"offsets.commit.timeout.ms", INT, "5000", on, fixed, ">=1", ""},
  {"offsets.load.buffer.size", INT, "5242880", none, fixed, ">=1", ""},
  {"offsets.retention.check.interval.ms", LONG, "600000", on, fixed, ">=1", ""},
  {"offsets.retention.minutes", INT, "10080", on, fixed, ">=1", "How long offsets of an empty group are kept."},
  {"offsets.topic.compression.codec", INT, "0", on, fixed, "", ""},
  {"offsets.topic.num.partitions", INT, "50", on, fixed, ">=1", "Partitions of __consumer_offsets."},
  {"offsets.topic.replication.factor", SHORT, "3", on, fixed, ">=1", "Replicas of __consumer_offsets."},
  {"offsets.topic.segment.bytes", INT, "104857600", on, fixed, ">=1", "Segment size of __consumer_offsets."},
  {"principal.builder.class", CLASS, "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder", on, own, "!class org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder", ""},
  {"process.roles", LIST, "", on, fixed, "{broker|controller}", "What this node is: broker,controller."},
  {"producer.id.expiration.check.interval.ms", INT, "600000", none, fixed, ">=1", ""},
  {"producer.id.expiration.ms", INT, "86400000", later, all, ">=1", ""},
  {"producer.purgatory.purge.interval.requests", INT, "1000", none, fixed, "", ""},
  {"queued.max.request.bytes", LONG, "-1", none, fixed, "", ""},
  {"queued.max.requests", INT, "500", none, fixed, ">=1", ""},
  {"quota.window.num", INT, "11", later, fixed, ">=1", ""},
  {"quota.window.size.seconds", INT, "1", later, fixed, ">=1", ""},
  {"remote.fetch.max.wait.ms", INT, "500", later, all, ">=1", ""},
  {"remote.log.storage.manager.class.name", CLASS, nullptr, on, fixed, "!class", ""},
  {"remote.log.storage.system.enable", BOOL, "false", later, fixed, "", ""},
  {"replica.fetch.backoff.ms", INT, "1000", later, fixed, ">=0", ""},
  {"replica.fetch.max.bytes", INT, "1048576", later, fixed, ">=0", ""},
  {"replica.fetch.min.bytes", INT, "1", later, fixed, "", ""},
  {"replica.fetch.response.max.bytes", INT, "10485760", later, fixed, ">=0", ""},
  {"replica.fetch.wait.max.ms", INT, "500", later, fixed, "", ""},
  {"replica.high.watermark.checkpoint.interval.ms", LONG, "5000", on, fixed, "", "How often high watermarks are written."},
  {"replica.lag.time.max.ms", LONG, "30000", later, fixed, "", ""},
  {"replica.selector.class", STR, nullptr, on, fixed, "!class org.apache.kafka.common.replica.RackAwareReplicaSelector", ""},
  {"replica.socket.receive.buffer.bytes", INT, "65536", none, fixed, "", ""},
  {"replica.socket.timeout.ms", INT, "30000", later, fixed, "", ""},
  {"replication.quota.window.num", INT, "11", later, fixed, ">=1", ""},
  {"replication.quota.window.size.seconds", INT, "1", later, fixed, ">=1", ""},
  {"request.timeout.ms", INT, "30000", later, fixed, "", ""},
  {"sasl.client.callback.handler.class", CLASS, nullptr, on, fixed, "!class", ""},
  {"sasl.enabled.mechanisms", LIST, "GSSAPI", later, own, "", ""},
  {"sasl.jaas.config", PASS, nullptr, later, own, "", ""},
  {"sasl.kerberos.service.name", STR, nullptr, later, own, "", ""},
  {"sasl.login.callback.handler.class", CLASS, nullptr, on, fixed, "!class", ""},
  {"sasl.login.class", CLASS, nullptr, on, fixed, "!class", ""},
  {"sasl.mechanism.controller.protocol", STR, "GSSAPI", later, fixed, "", ""},
  {"sasl.mechanism.inter.broker.protocol", STR, "GSSAPI", later, own, "", ""},
  {"sasl.server.callback.handler.class", CLASS, nullptr, on, fixed, "!class", ""},
  {"sasl.server.max.receive.size", INT, "524288", later, fixed, "", ""},
  {"security.inter.broker.protocol", STR, "PLAINTEXT", on, fixed, "PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL", ""},
  {"security.providers", STR, nullptr, none, fixed, "", ""},
  {"server.max.startup.time.ms", LONG, "9223372036854775807", none, fixed, ">=0", ""},
  {"share.coordinator.append.linger.ms", INT, "-1", none, fixed, ">=-1", ""},
  {"share.coordinator.snapshot.update.records.per.snapshot", INT, "500", later, fixed, "0..500", ""},
  {"share.coordinator.state.topic.min.isr", SHORT, "2", later, fixed, ">=1", ""},
  {"share.coordinator.state.topic.num.partitions", INT, "50", later, fixed, ">=1", ""},
  {"share.coordinator.state.topic.replication.factor", SHORT, "3", later, fixed, ">=1", ""},
  {"share.coordinator.state.topic.segment.bytes", INT, "104857600", later, fixed, ">=1", ""},
  {"socket.connection.setup.timeout.max.ms", LONG, "30000", none, fixed, "", ""},
  {"socket.connection.setup.timeout.ms", LONG, "10000", none, fixed, "", ""},
  {"socket.listen.backlog.size", INT, "50", none, fixed, ">=1", ""},
  {"socket.receive.buffer.bytes", INT, "102400", none, fixed, "", ""},
  {"socket.request.max.bytes", INT, "104857600", on, fixed, ">=1", "The largest request."},
  {"socket.send.buffer.bytes", INT, "102400", none, fixed, "", ""},
  {"ssl.cipher.suites", LIST, "", later, own, "", ""},
  {"ssl.client.auth", STR, "none", later, own, "required|requested|none", ""},
  {"ssl.enabled.protocols", LIST, "TLSv1.2,TLSv1.3", later, own, "", ""},
  {"ssl.endpoint.identification.algorithm", STR, "https", later, own, "", ""},
  {"ssl.engine.factory.class", CLASS, nullptr, on, own, "!class", ""},
  {"ssl.key.password", PASS, nullptr, later, own, "", ""},
  {"ssl.keymanager.algorithm", STR, "SunX509", none, own, "", ""},
  {"ssl.keystore.certificate.chain", PASS, nullptr, later, own, "", ""},
  {"ssl.keystore.key", PASS, nullptr, later, own, "", ""},
  {"ssl.keystore.location", STR, nullptr, later, own, "", ""},
  {"ssl.keystore.password", PASS, nullptr, later, own, "", ""},
  {"ssl.keystore.type", STR, "JKS", later, own, "", ""},
  {"ssl.principal.mapping.rules", STR, "DEFAULT", later, fixed, "", ""},
  {"ssl.protocol", STR, "TLSv1.3", later, own, "", ""},
  {"ssl.provider", STR, nullptr, none, own, "", ""},
  {"ssl.secure.random.implementation", STR, nullptr, none, own, "", ""},
  {"ssl.trustmanager.algorithm", STR, "PKIX", none, own, "", ""},
  {"ssl.truststore.certificates", PASS, nullptr, later, own, "", ""},
  {"ssl.truststore.location", STR, nullptr, later, own, "", ""},
  {"ssl.truststore.password", PASS, nullptr, later, own, "", ""},
  {"ssl.truststore.type", STR, "JKS", later, own, "", ""},
  {"super.users", STR, "", later, fixed, "", ""},
  {"telemetry.max.bytes", INT, "1048576", later, fixed, ">=1", ""},
  {"transaction.abort.timed.out.transaction.cleanup.interval.ms", INT, "10000", later, fixed, ">=1", ""},
  {"transaction.max.timeout.ms", INT, "900000", later, fixed, ">=1", ""},
  {"transaction.partition.verification.enable", BOOL, "true", later, all, "", ""},
  {"transaction.remove.expired.transaction.cleanup.interval.ms", INT, "3600000", later, fixed, ">=1", ""},
  {"transaction.state.log.load.buffer.size", INT, "5242880", none, fixed, ">=1", ""},
  {"transaction.state.log.min.isr", INT, "2", later, fixed, ">=1", ""},
  {"transaction.state.log.num.partitions", INT, "50", later, fixed, ">=1", ""},
  {"transaction.state.log.replication.factor", SHORT, "3", later, fixed, ">=1", ""},
  {"transaction.state.log.segment.bytes", INT, "104857600", later, fixed, ">=1", ""},
  {"transaction.two.phase.commit.enable", BOOL, "false", later, fixed, "", ""},
  {"transactional.id.expiration.ms", INT, "604800000", later, fixed, ">=1", ""},
  {"unclean.leader.election.enable", BOOL, "false", later, all, "", ""},
  {"unstable.api.versions.enable", BOOL, "false", none, fixed, "", ""},
  {"unstable.feature.versions.enable", BOOL, "false", none, fixed, "", ""},
  {"unclean.leader.election.interval.ms", LONG, "300000", later, fixed, ">=1", ""},
};

constexpr TopicKey topic_table[] = {
  {"cleanup.policy", LIST, "delete", "{compact|delete}", "log.cleanup.policy", "What happens to old records: delete by age and size, compact by key, or both."},
  {"compression.gzip.level", INT, "-1", "gzip", "compression.gzip.level", "Level when compression.type is gzip."},
  {"compression.lz4.level", INT, "9", "1..17", "compression.lz4.level", "Level when compression.type is lz4."},
  {"compression.type", STR, "producer", "uncompressed|zstd|lz4|snappy|gzip|producer", "compression.type", "Codec of the stored batches; producer keeps what was sent."},
  {"compression.zstd.level", INT, "3", "-131072..22", "compression.zstd.level", "Level when compression.type is zstd."},
  {"delete.retention.ms", LONG, "86400000", ">=0", "log.cleaner.delete.retention.ms", "How long tombstones of a compacted topic stay."},
  {"file.delete.delay.ms", LONG, "60000", ">=0", "log.segment.delete.delay.ms", "How long a deleted file stays on disk."},
  {"flush.messages", LONG, "9223372036854775807", ">=1", "log.flush.interval.messages", "Sync after so many records."},
  {"flush.ms", LONG, "9223372036854775807", ">=0", "log.flush.interval.ms,log.flush.scheduler.interval.ms", "Sync after so long."},
  {"follower.replication.throttled.replicas", LIST, "", "throttled", "", "Replicas whose incoming replication is throttled."},
  {"index.interval.bytes", INT, "4096", ">=0", "log.index.interval.bytes", "Distance of index entries."},
  {"leader.replication.throttled.replicas", LIST, "", "throttled", "", "Replicas whose outgoing replication is throttled."},
  {"local.retention.bytes", LONG, "-2", ">=-2", "log.local.retention.bytes", "What stays on local disk of a tiered topic."},
  {"local.retention.ms", LONG, "-2", ">=-2", "log.local.retention.ms", "How long it stays on local disk in a tiered topic."},
  {"max.compaction.lag.ms", LONG, "9223372036854775807", ">=1", "log.cleaner.max.compaction.lag.ms", "The longest a record stays uncompacted."},
  {"max.message.bytes", INT, "1048588", ">=0", "message.max.bytes", "The largest record batch."},
  {"message.timestamp.after.max.ms", LONG, "3600000", ">=0", "log.message.timestamp.after.max.ms", "How far ahead of the broker's clock a record may be."},
  {"message.timestamp.before.max.ms", LONG, "9223372036854775807", ">=0", "log.message.timestamp.before.max.ms", "How far behind the broker's clock a record may be."},
  {"message.timestamp.type", STR, "CreateTime", "CreateTime|LogAppendTime", "log.message.timestamp.type", "Whose clock stamps records."},
  {"min.cleanable.dirty.ratio", REAL, "0.5", "0..1", "log.cleaner.min.cleanable.ratio", "Share of uncompacted bytes from which the cleaner works."},
  {"min.compaction.lag.ms", LONG, "0", ">=0", "log.cleaner.min.compaction.lag.ms", "The shortest a record stays uncompacted."},
  {"min.insync.replicas", INT, "1", ">=1", "min.insync.replicas", "Replicas that must have a record before acks=all is answered."},
  {"preallocate", BOOL, "false", "", "log.preallocate", "Whether files are laid out in full when created."},
  {"remote.log.copy.disable", BOOL, "false", "", "", "Whether a tiered topic stops copying."},
  {"remote.log.delete.on.disable", BOOL, "false", "", "", "Whether tiered data goes when tiering is switched off."},
  {"remote.storage.enable", BOOL, "false", "", "", "Whether the topic is tiered."},
  {"retention.bytes", LONG, "-1", "", "log.retention.bytes", "How much a partition keeps; -1: no limit."},
  {"retention.ms", LONG, "604800000", ">=-1", "log.retention.ms,log.retention.minutes*60000,log.retention.hours*3600000", "How long records are kept; -1: no limit."},
  {"segment.bytes", INT, "1073741824", ">=1048576", "log.segment.bytes", "The size of a segment."},
  {"segment.index.bytes", INT, "10485760", ">=4", "log.index.size.max.bytes", "The size of an index file."},
  {"segment.jitter.ms", LONG, "0", ">=0", "log.roll.jitter.ms,log.roll.jitter.hours*3600000", "By how much segment.ms is varied."},
  {"segment.ms", LONG, "604800000", ">=1", "log.roll.ms,log.roll.hours*3600000", "The longest time a segment is written to."},
  {"unclean.leader.election.enable", BOOL, "false", "", "unclean.leader.election.enable", "Whether a replica that is behind may lead when no other is left."},
};
// clang-format on

[[noreturn]] void invalid(std::string_view name, std::string_view value, std::string_view why) {
  std::string text = "Invalid value ";
  text.append(value).append(" for configuration ").append(name);
  if (!why.empty()) text.append(": ").append(why);
  throw ConfigError(text);
}

template <class Number>
Number parse_integer(std::string_view name, std::string_view value, const char* type) {
  Number number{};
  const char* first = value.data() + (value.starts_with('+') ? 1 : 0);
  const auto [end, error] = std::from_chars(first, value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size()) {
    invalid(name, value, std::string("Not a number of type ") + type);
  }
  return number;
}

std::vector<std::string> split_bar(std::string_view text) {
  std::vector<std::string> items;
  while (true) {
    const size_t bar = text.find('|');
    items.emplace_back(text.substr(0, bar));
    if (bar == std::string_view::npos) return items;
    text.remove_prefix(bar + 1);
  }
}

std::string join(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

double as_real(std::string_view text) {
  double number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

void check_range(std::string_view name, std::string_view value, double number, std::string_view allowed) {
  if (allowed.starts_with(">=")) {
    const std::string_view least = allowed.substr(2);
    if (number < as_real(least)) invalid(name, value, "Value must be at least " + std::string(least));
  } else if (const size_t dots = allowed.find(".."); dots != std::string_view::npos) {
    const std::string_view least = allowed.substr(0, dots);
    const std::string_view most = allowed.substr(dots + 2);
    if (number < as_real(least)) invalid(name, value, "Value must be at least " + std::string(least));
    if (number > as_real(most)) invalid(name, value, "Value must be no more than " + std::string(most));
  } else if (allowed == "gzip") {
    if (number != -1 && (number < 1 || number > 9)) {
      invalid(name, value, "Value must be between 1 and 9 or equal to -1");
    }
  }
}

void check_choice(std::string_view name, std::string_view value, std::string_view allowed) {
  if (allowed.starts_with("!class")) {
    allowed.remove_prefix(std::min(allowed.size(), std::string_view("!class ").size()));
    if (!value.empty() && value != allowed) {
      invalid(name, value, "Class plug-ins of the Java broker cannot be loaded by Millrace.");
    }
  } else if (allowed.find('|') != std::string_view::npos) {
    const std::vector<std::string> choices = split_bar(allowed);
    if (std::ranges::find(choices, value) == choices.end()) {
      invalid(name, value, "String must be one of: " + join(choices));
    }
  }
}

void check_list(std::string_view name, std::string_view value, std::string_view allowed) {
  if (allowed == "throttled") {
    if (value.empty() || value == "*" || value == "none") return;
    for (const std::string& item : split_list(value)) {
      const size_t colon = item.find(':');
      const bool digits = colon != std::string::npos && colon > 0 && colon + 1 < item.size() &&
                          item.find_first_not_of("0123456789:") == std::string::npos &&
                          item.find(':', colon + 1) == std::string::npos;
      if (!digits) {
        invalid(name, value,
                "Must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],...");
      }
    }
    return;
  }
  if (!allowed.starts_with('{')) return;
  const std::vector<std::string> choices = split_bar(allowed.substr(1, allowed.size() - 2));
  for (const std::string& item : split_list(value)) {
    if (std::ranges::find(choices, item) == choices.end()) {
      invalid(name, item, "String must be one of: " + join(choices));
    }
  }
}

template <class Key>
std::vector<Key> sorted(std::span<const Key> table) {
  std::vector<Key> keys(table.begin(), table.end());
  std::ranges::sort(keys, {}, &Key::name);
  return keys;
}

template <class Key>
const Key* find(std::span<const Key> keys, std::string_view name) {
  const auto found = std::ranges::lower_bound(keys, name, {}, &Key::name);
  return found != keys.end() && found->name == name ? &*found : nullptr;
}

}  // namespace

std::span<const ConfigKey> broker_keys() {
  static const std::vector<ConfigKey> keys = sorted(std::span<const ConfigKey>(broker_table));
  return keys;
}

std::span<const TopicKey> topic_keys() {
  static const std::vector<TopicKey> keys = sorted(std::span<const TopicKey>(topic_table));
  return keys;
}

const ConfigKey* find_broker_key(std::string_view name) { return find(broker_keys(), name); }

const TopicKey* find_topic_key(std::string_view name) { return find(topic_keys(), name); }

void validate_value(std::string_view name, ConfigType type, std::string_view allowed, std::string_view value) {
  switch (type) {
    case ConfigType::boolean:
      if (value.size() == 4 || value.size() == 5) {
        std::string lower(value);
        std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
        if (lower == "true" || lower == "false") return;
      }
      invalid(name, value, "Expected value to be either true or false");
    case ConfigType::int32:
      return check_range(name, value, parse_integer<int32_t>(name, value, "INT"), allowed);
    case ConfigType::int16:
      return check_range(name, value, parse_integer<int16_t>(name, value, "SHORT"), allowed);
    case ConfigType::int64:
      return check_range(name, value, static_cast<double>(parse_integer<int64_t>(name, value, "LONG")), allowed);
    case ConfigType::real: {
      double number = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
      if (error != std::errc() || end != value.data() + value.size()) {
        invalid(name, value, "Not a number of type DOUBLE");
      }
      return check_range(name, value, number, allowed);
    }
    case ConfigType::list:
      return check_list(name, value, allowed);
    case ConfigType::string:
    case ConfigType::class_name:
      return check_choice(name, value, allowed);
    case ConfigType::password:
    case ConfigType::unknown:
      return;
  }
}

}  // namespace millrace::broker
