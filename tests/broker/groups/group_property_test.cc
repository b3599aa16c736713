// Random members do random things to one group; what must hold whatever they do.
#include <algorithm>
#include <random>
#include <set>

#include "tests/broker/groups/group_world.h"

namespace millrace::broker::groups {
namespace {

constexpr int partitions = 6;

// A client that follows the protocol, but may fall silent, leave, come back, or change its mind at any time.
struct Client {
  std::string member_id{};
  std::optional<std::string> instance{};
  int32_t generation = -1;
  bool joined = false;
  bool synced = false;
  bool leads = false;
  std::vector<std::string> members{};
  std::optional<ReplyToken> waiting{};
  std::string owned{};  // partitions as characters
  int flavour = 0;
};

void run(uint64_t seed) {
  INFO("seed ", seed);
  std::mt19937_64 random(seed);
  const auto below = [&](uint64_t n) { return random() % n; };
  GroupWorld w({.initial_rebalance_delay = Millis(below(2) * 3'000), .max_size = 5});
  w.session_timeout = Millis(6'000 + below(3) * 10'000);
  w.rebalance_timeout = Millis(5'000 + below(3) * 20'000);
  w.stores_at_once = false;
  std::vector<Client> clients(6);
  for (size_t i = 0; i < clients.size(); ++i) {
    if (i % 3 == 2) clients[i].instance = "i" + std::to_string(i);
  }
  size_t stores_ended = 0;
  int32_t generation = 0;
  std::map<int32_t, std::string> leader_of;
  std::map<int32_t, std::map<std::string, std::string>> owners;  // generation → who → partitions
  std::set<ReplyToken> parked;

  const auto protocols = [](const Client& client) {
    return std::vector<Protocol>{{"range", bytes("v" + std::to_string(client.flavour))}, {"sticky", bytes("s")}};
  };
  const auto collect = [&] {
    for (Client& client : clients) {
      if (!client.waiting || !w.answered(*client.waiting)) continue;
      const auto& body = w.answers.at(*client.waiting);
      parked.erase(*client.waiting);
      client.waiting.reset();
      if (const auto* join = std::get_if<JoinAnswer>(&body)) {
        client.joined = join->error == ErrorCode::none;
        client.synced = false;
        if (join->error == ErrorCode::member_id_required) client.member_id = join->member_id;
        if (join->error == ErrorCode::unknown_member_id || join->error == ErrorCode::fenced_instance_id ||
            join->error == ErrorCode::group_max_size_reached) {
          client.member_id.clear();
        }
        if (!client.joined) continue;
        CHECK(join->generation >= generation - 1);  // of this generation, or one that has just ended
        client.member_id = join->member_id;
        client.generation = join->generation;
        client.leads = join->leader == join->member_id && !join->skip_assignment;
        client.members.clear();
        for (const auto& member : join->members) client.members.push_back(member.member_id);
        if (client.leads && !join->members.empty()) {
          const auto [at, first] = leader_of.emplace(join->generation, join->member_id);
          CHECK_MESSAGE((first || at->second == join->member_id), "one leader in a generation");
        }
      } else if (const auto* sync = std::get_if<SyncAnswer>(&body)) {
        client.synced = sync->error == ErrorCode::none;
        if (!client.synced) {
          client.joined = false;
          continue;
        }
        client.owned = std::string(sync->assignment.text());
        // A static member keeps its partitions under its next id.
        owners[client.generation][client.instance.value_or(client.member_id)] = client.owned;
      }
    }
    CHECK_MESSAGE(w.group.generation() >= generation, "generations only grow");
    generation = w.group.generation();
    if (!w.group.members().empty()) {
      REQUIRE(w.group.leader());
      CHECK(w.group.members().contains(*w.group.leader()));
    }
    CHECK((w.group.state() != GroupState::empty || w.group.members().empty()));
    if (w.group.state() == GroupState::completing_rebalance) {
      // Static members keep their place while they are away.
      const auto dynamic =
          std::ranges::count_if(w.group.members(), [](const auto& m) { return !m.second.instance_id; });
      CHECK(dynamic <= 5);
    }
  };

  for (int step = 0; step < 400; ++step) {
    Client& client = clients[below(clients.size())];
    switch (below(8)) {
      case 0:
        w.pass(Millis(below(4) == 0 ? below(30'000) : below(1'500)));
        break;
      case 1:  // falls silent and starts again, without its id
        if (below(4) == 0) client = Client{.instance = client.instance, .flavour = client.flavour};
        break;
      case 2:
        if (!client.waiting && !client.member_id.empty() && below(4) == 0) {
          w.leave({{client.member_id, client.instance}});
          client = Client{.instance = client.instance, .flavour = client.flavour};
        }
        break;
      case 3:
        if (stores_ended < w.stores.size()) {
          ++stores_ended;
          w.finish_store(below(10) == 0 ? ErrorCode::request_timed_out : ErrorCode::none);
        }
        break;
      case 4:
        if (client.synced && !client.waiting) {
          const ErrorCode error = w.heartbeat(client.member_id, client.generation, client.instance);
          if (error == ErrorCode::rebalance_in_progress)
            client.joined = client.synced = false;
          else if (error != ErrorCode::none)
            client = Client{.instance = client.instance, .flavour = client.flavour};
        }
        break;
      case 5:
        if (below(6) == 0) client.flavour = static_cast<int>(below(3)), client.joined = false;
        break;
      default:
        if (client.waiting) break;
        if (!client.joined) {
          client.waiting =
              w.join(client.member_id, protocols(client), client.instance, !client.instance, below(2) == 0);
          parked.insert(*client.waiting);
        } else if (!client.synced) {
          std::vector<std::pair<std::string, Bytes>> assignments;
          if (client.leads) {
            std::map<std::string, std::string> shares;
            for (int p = 0; p < partitions && !client.members.empty(); ++p) {
              shares[client.members[below(client.members.size())]] += static_cast<char>('a' + p);
            }
            for (const auto& [id, share] : shares) assignments.emplace_back(id, bytes(share));
          }
          client.waiting = w.sync(client.member_id, client.generation, assignments, client.instance);
          parked.insert(*client.waiting);
        }
    }
    collect();
  }

  for (const auto& [in, members] : owners) {
    std::map<char, std::string> taken;
    for (const auto& [member, share] : members) {
      for (const char partition : share) {
        const auto [at, fresh] = taken.emplace(partition, member);
        CHECK_MESSAGE(fresh, "partition ", std::string(1, partition), " of ", at->second, " and ", member,
                      " in generation ", in);
      }
    }
  }

  // Nobody says anything any more: every parked request is answered, and the group ends empty.
  for (int i = 0; i < 50; ++i) {
    while (stores_ended < w.stores.size()) ++stores_ended, w.finish_store();
    w.pass(Millis(300'000));
    collect();
  }
  for (const ReplyToken token : parked) CHECK_MESSAGE(w.answered(token), "request ", token, " was never answered");
  CHECK(w.group.state() == GroupState::empty);
  CHECK(w.group.deadline() == never);
}

TEST_CASE("whatever members do, a group keeps its promises") {
  for (uint64_t seed = 1; seed <= 400; ++seed) run(seed);
}

}  // namespace
}  // namespace millrace::broker::groups
