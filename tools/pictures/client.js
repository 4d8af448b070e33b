// A whole Matrix client (Hydrogen's own views) that shows one room, for pictures of it.
import {
  Client, FeatureSet, LoadStatus, Platform, RoomViewModel, TimelineView, createNavigation,
  createRouter, viewClassForTile,
} from "hydrogen-view-sdk";

window.show = async (homeserver, user, password, roomId) => {
  const app = document.querySelector("#app");
  const assetPaths = {
    downloadSandbox: "/assets/download-sandbox.html",
    worker: "/assets/main.js",
    olm: { wasm: "/olm.wasm", legacyBundle: "/olm_legacy.js", wasmBundle: "/olm.js" },
    serviceWorker: "/sw.js",
  };
  const platform = new Platform({ container: app, assetPaths, config: {}, options: { development: true } });
  const navigation = createNavigation();
  platform.setNavigation(navigation);
  await platform.init();
  const urlRouter = createRouter({ navigation, history: platform.history });
  urlRouter.attach();
  const client = new Client(platform);
  const options = await client.queryLogin(homeserver).result;
  client.startWithLogin(options.password(user, password));
  await client.loadStatus.waitFor((s) =>
    s === LoadStatus.Ready || s === LoadStatus.Error || s === LoadStatus.LoginFailed).promise;
  if (client.loginFailure) throw new Error(`login failed: ${client.loginFailure}`);
  if (client.loadError) throw client.loadError;
  const { session } = client;
  const features = await FeatureSet.load(platform.settingsStorage);
  const room = session.rooms.get(roomId);
  const vm = new RoomViewModel({ room, ownUserId: session.userId, platform, urlRouter, navigation, features });
  await vm.load();
  app.replaceChildren(new TimelineView(vm.timelineViewModel, viewClassForTile).mount());
};
