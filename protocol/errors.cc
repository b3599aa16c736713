// The table behind the error codes, in the order of their numbers from -1 on.
#include "protocol/errors.h"

#include <iterator>

namespace millrace {
namespace {

struct Entry {
  ErrorCode code;
  std::string_view name;
  bool retriable;
  std::string_view message;
};

constexpr Entry entries[] = {
    // clang-format off
    {ErrorCode::unknown_server_error, "UNKNOWN_SERVER_ERROR", false, "The broker failed in a way it did not expect."},
    {ErrorCode::none, "NONE", false, ""},
    {ErrorCode::offset_out_of_range, "OFFSET_OUT_OF_RANGE", false, "The offset is outside the range this partition holds."},
    {ErrorCode::corrupt_message, "CORRUPT_MESSAGE", true, "The record batch is damaged: its checksum, size or layout is wrong."},
    {ErrorCode::unknown_topic_or_partition, "UNKNOWN_TOPIC_OR_PARTITION", true, "This broker does not host the topic or partition."},
    {ErrorCode::invalid_fetch_size, "INVALID_FETCH_SIZE", false, "The fetch size is invalid."},
    {ErrorCode::leader_not_available, "LEADER_NOT_AVAILABLE", true, "The partition has no leader at the moment."},
    {ErrorCode::not_leader_or_follower, "NOT_LEADER_OR_FOLLOWER", true, "This broker is neither leader nor follower of the partition, as the request needs."},
    {ErrorCode::request_timed_out, "REQUEST_TIMED_OUT", true, "The request timed out."},
    {ErrorCode::broker_not_available, "BROKER_NOT_AVAILABLE", false, "The broker is not available."},
    {ErrorCode::replica_not_available, "REPLICA_NOT_AVAILABLE", true, "The replica is not available."},
    {ErrorCode::message_too_large, "MESSAGE_TOO_LARGE", false, "The record batch is larger than the topic allows."},
    {ErrorCode::stale_controller_epoch, "STALE_CONTROLLER_EPOCH", false, "The controller has moved to another node."},
    {ErrorCode::offset_metadata_too_large, "OFFSET_METADATA_TOO_LARGE", false, "The metadata committed with the offset is too long."},
    {ErrorCode::network_exception, "NETWORK_EXCEPTION", true, "The connection was lost before a response arrived."},
    {ErrorCode::coordinator_load_in_progress, "COORDINATOR_LOAD_IN_PROGRESS", true, "The coordinator is still loading its state."},
    {ErrorCode::coordinator_not_available, "COORDINATOR_NOT_AVAILABLE", true, "The coordinator is not available."},
    {ErrorCode::not_coordinator, "NOT_COORDINATOR", true, "This broker is not the coordinator."},
    {ErrorCode::invalid_topic_exception, "INVALID_TOPIC_EXCEPTION", false, "The topic name is not valid, or the operation is not allowed on this topic."},
    {ErrorCode::record_list_too_large, "RECORD_LIST_TOO_LARGE", false, "The record batch is larger than a segment may be."},
    {ErrorCode::not_enough_replicas, "NOT_ENOUGH_REPLICAS", true, "Fewer replicas are in sync than the topic demands; nothing was written."},
    {ErrorCode::not_enough_replicas_after_append, "NOT_ENOUGH_REPLICAS_AFTER_APPEND", true, "Written, but to fewer in-sync replicas than the topic demands."},
    {ErrorCode::invalid_required_acks, "INVALID_REQUIRED_ACKS", false, "acks must be -1, 0 or 1."},
    {ErrorCode::illegal_generation, "ILLEGAL_GENERATION", false, "The group has another generation."},
    {ErrorCode::inconsistent_group_protocol, "INCONSISTENT_GROUP_PROTOCOL", false, "The member's protocols do not fit those of the group."},
    {ErrorCode::invalid_group_id, "INVALID_GROUP_ID", false, "The group id is not valid."},
    {ErrorCode::unknown_member_id, "UNKNOWN_MEMBER_ID", false, "The coordinator does not know this member."},
    {ErrorCode::invalid_session_timeout, "INVALID_SESSION_TIMEOUT", false, "The session timeout is outside group.min.session.timeout.ms and group.max.session.timeout.ms."},
    {ErrorCode::rebalance_in_progress, "REBALANCE_IN_PROGRESS", false, "The group is rebalancing; join it again."},
    {ErrorCode::invalid_commit_offset_size, "INVALID_COMMIT_OFFSET_SIZE", false, "The committed offset takes too many bytes."},
    {ErrorCode::topic_authorization_failed, "TOPIC_AUTHORIZATION_FAILED", false, "Not authorized to access the topic."},
    {ErrorCode::group_authorization_failed, "GROUP_AUTHORIZATION_FAILED", false, "Not authorized to access the group."},
    {ErrorCode::cluster_authorization_failed, "CLUSTER_AUTHORIZATION_FAILED", false, "Not authorized to act on the cluster."},
    {ErrorCode::invalid_timestamp, "INVALID_TIMESTAMP", false, "The timestamp is out of the accepted range."},
    {ErrorCode::unsupported_sasl_mechanism, "UNSUPPORTED_SASL_MECHANISM", false, "The SASL mechanism is not supported here."},
    {ErrorCode::illegal_sasl_state, "ILLEGAL_SASL_STATE", false, "The request does not fit the state of the SASL exchange."},
    {ErrorCode::unsupported_version, "UNSUPPORTED_VERSION", false, "This version of the API is not supported."},
    {ErrorCode::topic_already_exists, "TOPIC_ALREADY_EXISTS", false, "A topic of this name exists already."},
    {ErrorCode::invalid_partitions, "INVALID_PARTITIONS", false, "The number of partitions is not valid."},
    {ErrorCode::invalid_replication_factor, "INVALID_REPLICATION_FACTOR", false, "The replication factor is below 1 or above the number of brokers."},
    {ErrorCode::invalid_replica_assignment, "INVALID_REPLICA_ASSIGNMENT", false, "The replica assignment is not valid."},
    {ErrorCode::invalid_config, "INVALID_CONFIG", false, "The configuration is not valid."},
    {ErrorCode::not_controller, "NOT_CONTROLLER", true, "This node is not the active controller."},
    {ErrorCode::invalid_request, "INVALID_REQUEST", false, "The request is malformed or contradicts itself."},
    {ErrorCode::unsupported_for_message_format, "UNSUPPORTED_FOR_MESSAGE_FORMAT", false, "The record format does not support the request."},
    {ErrorCode::policy_violation, "POLICY_VIOLATION", false, "The request violates a policy of the broker."},
    {ErrorCode::out_of_order_sequence_number, "OUT_OF_ORDER_SEQUENCE_NUMBER", false, "The sequence number does not follow the last one."},
    {ErrorCode::duplicate_sequence_number, "DUPLICATE_SEQUENCE_NUMBER", false, "The sequence number was used before."},
    {ErrorCode::invalid_producer_epoch, "INVALID_PRODUCER_EPOCH", false, "The producer's epoch is old."},
    {ErrorCode::invalid_txn_state, "INVALID_TXN_STATE", false, "The operation does not fit the state of the transaction."},
    {ErrorCode::invalid_producer_id_mapping, "INVALID_PRODUCER_ID_MAPPING", false, "The producer id is not the one assigned to this transactional id."},
    {ErrorCode::invalid_transaction_timeout, "INVALID_TRANSACTION_TIMEOUT", false, "The transaction timeout is larger than transaction.max.timeout.ms allows."},
    {ErrorCode::concurrent_transactions, "CONCURRENT_TRANSACTIONS", true, "Another operation on this transaction is still under way."},
    {ErrorCode::transaction_coordinator_fenced, "TRANSACTION_COORDINATOR_FENCED", false, "A newer transaction coordinator has taken over."},
    {ErrorCode::transactional_id_authorization_failed, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", false, "Not authorized to use the transactional id."},
    {ErrorCode::security_disabled, "SECURITY_DISABLED", false, "No authorizer is configured."},
    {ErrorCode::operation_not_attempted, "OPERATION_NOT_ATTEMPTED", false, "The operation was not tried."},
    {ErrorCode::kafka_storage_error, "KAFKA_STORAGE_ERROR", true, "The disk failed under the log."},
    {ErrorCode::log_dir_not_found, "LOG_DIR_NOT_FOUND", false, "The log directory is not one of this broker's."},
    {ErrorCode::sasl_authentication_failed, "SASL_AUTHENTICATION_FAILED", false, "Authentication failed."},
    {ErrorCode::unknown_producer_id, "UNKNOWN_PRODUCER_ID", false, "Nothing is known about this producer id."},
    {ErrorCode::reassignment_in_progress, "REASSIGNMENT_IN_PROGRESS", false, "A reassignment of the partition is under way."},
    {ErrorCode::delegation_token_auth_disabled, "DELEGATION_TOKEN_AUTH_DISABLED", false, "Delegation tokens are not enabled."},
    {ErrorCode::delegation_token_not_found, "DELEGATION_TOKEN_NOT_FOUND", false, "There is no such delegation token."},
    {ErrorCode::delegation_token_owner_mismatch, "DELEGATION_TOKEN_OWNER_MISMATCH", false, "The principal is neither owner nor renewer of the token."},
    {ErrorCode::delegation_token_request_not_allowed, "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", false, "Delegation tokens cannot be requested over this kind of connection."},
    {ErrorCode::delegation_token_authorization_failed, "DELEGATION_TOKEN_AUTHORIZATION_FAILED", false, "Not authorized to use the delegation token."},
    {ErrorCode::delegation_token_expired, "DELEGATION_TOKEN_EXPIRED", false, "The delegation token has expired."},
    {ErrorCode::invalid_principal_type, "INVALID_PRINCIPAL_TYPE", false, "The type of principal is not supported."},
    {ErrorCode::non_empty_group, "NON_EMPTY_GROUP", false, "The group is not empty."},
    {ErrorCode::group_id_not_found, "GROUP_ID_NOT_FOUND", false, "There is no group of this id."},
    {ErrorCode::fetch_session_id_not_found, "FETCH_SESSION_ID_NOT_FOUND", true, "There is no fetch session of this id."},
    {ErrorCode::invalid_fetch_session_epoch, "INVALID_FETCH_SESSION_EPOCH", true, "The epoch of the fetch session is not the expected one."},
    {ErrorCode::listener_not_found, "LISTENER_NOT_FOUND", true, "The leader has no listener like the one asked."},
    {ErrorCode::topic_deletion_disabled, "TOPIC_DELETION_DISABLED", false, "Topics cannot be deleted here."},
    {ErrorCode::fenced_leader_epoch, "FENCED_LEADER_EPOCH", true, "The leader epoch is older than the partition's."},
    {ErrorCode::unknown_leader_epoch, "UNKNOWN_LEADER_EPOCH", true, "The leader epoch is newer than the partition's."},
    {ErrorCode::unsupported_compression_type, "UNSUPPORTED_COMPRESSION_TYPE", false, "The client's version does not know the compression of this partition."},
    {ErrorCode::stale_broker_epoch, "STALE_BROKER_EPOCH", false, "The broker's epoch has changed."},
    {ErrorCode::offset_not_available, "OFFSET_NOT_AVAILABLE", true, "The new leader does not know the high watermark yet."},
    {ErrorCode::member_id_required, "MEMBER_ID_REQUIRED", false, "Join again with the member id that was given."},
    {ErrorCode::preferred_leader_not_available, "PREFERRED_LEADER_NOT_AVAILABLE", true, "The preferred leader is not available."},
    {ErrorCode::group_max_size_reached, "GROUP_MAX_SIZE_REACHED", false, "The group is full."},
    {ErrorCode::fenced_instance_id, "FENCED_INSTANCE_ID", false, "Another member has taken over this group instance id."},
    {ErrorCode::eligible_leaders_not_available, "ELIGIBLE_LEADERS_NOT_AVAILABLE", true, "No eligible leader is available."},
    {ErrorCode::election_not_needed, "ELECTION_NOT_NEEDED", true, "The partition needs no election."},
    {ErrorCode::no_reassignment_in_progress, "NO_REASSIGNMENT_IN_PROGRESS", false, "No reassignment of the partition is under way."},
    {ErrorCode::group_subscribed_to_topic, "GROUP_SUBSCRIBED_TO_TOPIC", false, "The group is subscribed to the topic."},
    {ErrorCode::invalid_record, "INVALID_RECORD", false, "A record is not valid."},
    {ErrorCode::unstable_offset_commit, "UNSTABLE_OFFSET_COMMIT", true, "The offset is part of a transaction still open."},
    {ErrorCode::throttling_quota_exceeded, "THROTTLING_QUOTA_EXCEEDED", true, "The quota is used up; try again later."},
    {ErrorCode::producer_fenced, "PRODUCER_FENCED", false, "A newer producer with this transactional id has taken over."},
    {ErrorCode::resource_not_found, "RESOURCE_NOT_FOUND", false, "There is no such resource."},
    {ErrorCode::duplicate_resource, "DUPLICATE_RESOURCE", false, "The request names a resource twice."},
    {ErrorCode::unacceptable_credential, "UNACCEPTABLE_CREDENTIAL", false, "The credential is not acceptable."},
    {ErrorCode::inconsistent_voter_set, "INCONSISTENT_VOTER_SET", false, "Sender or receiver is not in the expected set of voters."},
    {ErrorCode::invalid_update_version, "INVALID_UPDATE_VERSION", false, "The version asked for is not valid."},
    {ErrorCode::feature_update_failed, "FEATURE_UPDATE_FAILED", false, "The features could not be updated."},
    {ErrorCode::principal_deserialization_failure, "PRINCIPAL_DESERIALIZATION_FAILURE", false, "The principal of a forwarded request could not be read."},
    {ErrorCode::snapshot_not_found, "SNAPSHOT_NOT_FOUND", false, "There is no such snapshot."},
    {ErrorCode::position_out_of_range, "POSITION_OUT_OF_RANGE", false, "The position is outside the snapshot."},
    {ErrorCode::unknown_topic_id, "UNKNOWN_TOPIC_ID", true, "This broker does not host a topic of this id."},
    {ErrorCode::duplicate_broker_registration, "DUPLICATE_BROKER_REGISTRATION", false, "Another broker uses this id."},
    {ErrorCode::broker_id_not_registered, "BROKER_ID_NOT_REGISTERED", false, "No broker is registered with this id."},
    {ErrorCode::inconsistent_topic_id, "INCONSISTENT_TOPIC_ID", true, "The topic has another id than the request says."},
    {ErrorCode::inconsistent_cluster_id, "INCONSISTENT_CLUSTER_ID", false, "The request is meant for another cluster."},
    {ErrorCode::transactional_id_not_found, "TRANSACTIONAL_ID_NOT_FOUND", false, "There is no such transactional id."},
    {ErrorCode::fetch_session_topic_id_error, "FETCH_SESSION_TOPIC_ID_ERROR", true, "Topic ids and names are mixed within one fetch session."},
    {ErrorCode::ineligible_replica, "INELIGIBLE_REPLICA", false, "A replica in the new in-sync set is not eligible."},
    {ErrorCode::new_leader_elected, "NEW_LEADER_ELECTED", false, "The partition was changed, and has another leader now."},
    {ErrorCode::offset_moved_to_tiered_storage, "OFFSET_MOVED_TO_TIERED_STORAGE", false, "The offset has moved to tiered storage."},
    {ErrorCode::fenced_member_epoch, "FENCED_MEMBER_EPOCH", false, "The member's epoch is fenced: give up all partitions and join again."},
    {ErrorCode::unreleased_instance_id, "UNRELEASED_INSTANCE_ID", false, "The previous member with this group instance id has not left yet."},
    {ErrorCode::unsupported_assignor, "UNSUPPORTED_ASSIGNOR", false, "The group does not support the assignor or its version."},
    {ErrorCode::stale_member_epoch, "STALE_MEMBER_EPOCH", false, "The member's epoch is old: wait for the next heartbeat, then try again."},
    {ErrorCode::mismatched_endpoint_type, "MISMATCHED_ENDPOINT_TYPE", false, "The endpoint is of another kind than the request is for."},
    {ErrorCode::unsupported_endpoint_type, "UNSUPPORTED_ENDPOINT_TYPE", false, "This kind of endpoint is not supported."},
    {ErrorCode::unknown_controller_id, "UNKNOWN_CONTROLLER_ID", false, "There is no controller of this id."},
    {ErrorCode::unknown_subscription_id, "UNKNOWN_SUBSCRIPTION_ID", false, "The telemetry subscription is unknown or outdated."},
    {ErrorCode::telemetry_too_large, "TELEMETRY_TOO_LARGE", false, "The telemetry is larger than the broker accepts."},
    {ErrorCode::invalid_registration, "INVALID_REGISTRATION", false, "The registration is not valid."},
    {ErrorCode::transaction_abortable, "TRANSACTION_ABORTABLE", false, "The transaction must be aborted; then the transactional id can go on."},
    {ErrorCode::invalid_record_state, "INVALID_RECORD_STATE", false, "The record is not in a state to be acknowledged."},
    {ErrorCode::share_session_not_found, "SHARE_SESSION_NOT_FOUND", true, "There is no such share session."},
    {ErrorCode::invalid_share_session_epoch, "INVALID_SHARE_SESSION_EPOCH", true, "The epoch of the share session is not the expected one."},
    {ErrorCode::fenced_state_epoch, "FENCED_STATE_EPOCH", false, "The epoch of the share-group state does not match."},
    {ErrorCode::invalid_voter_key, "INVALID_VOTER_KEY", false, "The voter's key is not this replica's."},
    {ErrorCode::duplicate_voter, "DUPLICATE_VOTER", false, "The replica is a voter already."},
    {ErrorCode::voter_not_found, "VOTER_NOT_FOUND", false, "The replica is not a voter."},
    {ErrorCode::invalid_regular_expression, "INVALID_REGULAR_EXPRESSION", false, "The regular expression is not valid."},
    {ErrorCode::rebootstrap_required, "REBOOTSTRAP_REQUIRED", false, "The client's metadata is too old: bootstrap again."},
    {ErrorCode::streams_invalid_topology, "STREAMS_INVALID_TOPOLOGY", false, "The topology is not valid."},
    {ErrorCode::streams_invalid_topology_epoch, "STREAMS_INVALID_TOPOLOGY_EPOCH", false, "The epoch of the topology is not valid."},
    {ErrorCode::streams_topology_fenced, "STREAMS_TOPOLOGY_FENCED", false, "The epoch of the topology is old."},
    {ErrorCode::share_session_limit_reached, "SHARE_SESSION_LIMIT_REACHED", true, "There are too many share sessions."},
    // clang-format on
};

constexpr bool in_order() {
  for (size_t i = 0; i < std::size(entries); ++i)
    if (static_cast<int>(entries[i].code) != static_cast<int>(i) - 1) return false;
  return true;
}
static_assert(in_order());

const Entry& entry(ErrorCode error) {
  const int index = static_cast<int>(error) + 1;
  return entries[index > 0 && index < static_cast<int>(std::size(entries)) ? index : 0];
}

}  // namespace

std::string_view name(ErrorCode error) { return entry(error).name; }
std::string_view message(ErrorCode error) { return entry(error).message; }
bool retriable(ErrorCode error) { return entry(error).retriable; }

std::optional<ErrorCode> error_named(std::string_view name) {
  for (const Entry& e : entries)
    if (e.name == name) return e.code;
  return std::nullopt;
}

std::optional<ErrorCode> error_numbered(int16_t code) {
  const Entry& e = entry(ErrorCode(code));
  if (static_cast<int16_t>(e.code) != code) return std::nullopt;
  return e.code;
}

}  // namespace millrace
