// What is answered about security where there is none: the SASL keys, which have no place on a listener without SASL,
// and the ACL keys without an authorizer.
#include "broker/handlers/handlers.h"
#include "protocol/messages/create_acls.h"
#include "protocol/messages/delete_acls.h"
#include "protocol/messages/describe_acls.h"
#include "protocol/messages/sasl_authenticate.h"
#include "protocol/messages/sasl_handshake.h"

namespace millrace::broker {

namespace {

using namespace protocol;

constexpr const char* no_authorizer = "No Authorizer is configured.";

Task<SaslHandshakeResponse> sasl_handshake(RequestContext, SaslHandshakeRequest) {
  SaslHandshakeResponse response;
  response.error = ErrorCode::illegal_sasl_state;
  co_return response;
}

Task<SaslAuthenticateResponse> sasl_authenticate(RequestContext, SaslAuthenticateRequest) {
  SaslAuthenticateResponse response;
  response.error = ErrorCode::illegal_sasl_state;
  response.error_message = "SaslAuthenticate request received after successful authentication";
  co_return response;
}

Task<DescribeAclsResponse> describe_acls(RequestContext, DescribeAclsRequest) {
  DescribeAclsResponse response;
  response.error = ErrorCode::security_disabled;
  response.error_message = no_authorizer;
  co_return response;
}

Task<CreateAclsResponse> create_acls(RequestContext, CreateAclsRequest request) {
  CreateAclsResponse response;
  for (size_t i = 0; i < request.creations.size(); ++i) {
    CreateAclsResponse::Result& result = response.results.emplace_back();
    result.error = ErrorCode::security_disabled;
    result.error_message = no_authorizer;
  }
  co_return response;
}

Task<DeleteAclsResponse> delete_acls(RequestContext, DeleteAclsRequest request) {
  DeleteAclsResponse response;
  for (size_t i = 0; i < request.filters.size(); ++i) {
    DeleteAclsResponse::FilterResult& result = response.filter_results.emplace_back();
    result.error = ErrorCode::security_disabled;
    result.error_message = no_authorizer;
  }
  co_return response;
}

}  // namespace

void add_security(Dispatch& dispatch) {
  dispatch.add<SaslHandshakeRequest, SaslHandshakeResponse>(0, 1, sasl_handshake);
  dispatch.add<SaslAuthenticateRequest, SaslAuthenticateResponse>(0, 2, sasl_authenticate);
  dispatch.add<DescribeAclsRequest, DescribeAclsResponse>(1, 3, describe_acls);
  dispatch.add<CreateAclsRequest, CreateAclsResponse>(1, 3, create_acls);
  dispatch.add<DeleteAclsRequest, DeleteAclsResponse>(1, 3, delete_acls);
}

}  // namespace millrace::broker
