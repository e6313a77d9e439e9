#include "protocol/packet.hpp"

namespace replicator {

std::string_view name(Packet packet) noexcept {
  switch (packet) {
    case Packet::data: return "P_DATA";
    case Packet::data_reply: return "P_DATA_REPLY";
    case Packet::rs_data_reply: return "P_RS_DATA_REPLY";
    case Packet::barrier: return "P_BARRIER";
    case Packet::bitmap: return "P_BITMAP";
    case Packet::unplug_remote: return "P_UNPLUG_REMOTE";
    case Packet::data_request: return "P_DATA_REQUEST";
    case Packet::rs_data_request: return "P_RS_DATA_REQUEST";
    case Packet::sync_param: return "P_SYNC_PARAM";
    case Packet::protocol: return "P_PROTOCOL";
    case Packet::uuids: return "P_UUIDS";
    case Packet::sizes: return "P_SIZES";
    case Packet::state: return "P_STATE";
    case Packet::sync_uuid: return "P_SYNC_UUID";
    case Packet::auth_challenge: return "P_AUTH_CHALLENGE";
    case Packet::auth_response: return "P_AUTH_RESPONSE";
    case Packet::state_chg_req: return "P_STATE_CHG_REQ";
    case Packet::ping: return "P_PING";
    case Packet::ping_ack: return "P_PING_ACK";
    case Packet::recv_ack: return "P_RECV_ACK";
    case Packet::write_ack: return "P_WRITE_ACK";
    case Packet::rs_write_ack: return "P_RS_WRITE_ACK";
    case Packet::superseded: return "P_SUPERSEDED";
    case Packet::neg_ack: return "P_NEG_ACK";
    case Packet::neg_dreply: return "P_NEG_DREPLY";
    case Packet::neg_rs_dreply: return "P_NEG_RS_DREPLY";
    case Packet::barrier_ack: return "P_BARRIER_ACK";
    case Packet::state_chg_reply: return "P_STATE_CHG_REPLY";
    case Packet::ov_request: return "P_OV_REQUEST";
    case Packet::ov_reply: return "P_OV_REPLY";
    case Packet::ov_result: return "P_OV_RESULT";
    case Packet::csum_rs_request: return "P_CSUM_RS_REQUEST";
    case Packet::rs_is_in_sync: return "P_RS_IS_IN_SYNC";
    case Packet::sync_param89: return "P_SYNC_PARAM89";
    case Packet::compressed_bitmap: return "P_COMPRESSED_BITMAP";
    case Packet::delay_probe: return "P_DELAY_PROBE";
    case Packet::out_of_sync: return "P_OUT_OF_SYNC";
    case Packet::rs_cancel: return "P_RS_CANCEL";
    case Packet::conn_st_chg_req: return "P_CONN_ST_CHG_REQ";
    case Packet::conn_st_chg_reply: return "P_CONN_ST_CHG_REPLY";
    case Packet::retry_write: return "P_RETRY_WRITE";
    case Packet::protocol_update: return "P_PROTOCOL_UPDATE";
    case Packet::trim: return "P_TRIM";
    case Packet::rs_thin_req: return "P_RS_THIN_REQ";
    case Packet::rs_deallocated: return "P_RS_DEALLOCATED";
    case Packet::wsame: return "P_WSAME";
    case Packet::zeroes: return "P_ZEROES";
    case Packet::initial_meta: return "P_INITIAL_META";
    case Packet::initial_data: return "P_INITIAL_DATA";
    case Packet::connection_features: return "P_CONNECTION_FEATURES";
  }
  return "P_UNKNOWN";
}

}  // namespace replicator
