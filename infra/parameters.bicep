// The parameters that are objects, for main.bicep and scheduler.bicep alike.

@export()
@description('An AKS cluster, wherever it lives.')
@sealed()
type Cluster = {
  @description('Resource id: /subscriptions/…/resourceGroups/…/providers/Microsoft.ContainerService/managedClusters/…')
  @minLength(120)
  id: string

  @description('What it is called in settings, the journal and the status page: letters, digits, - and _. Its own name unless told.')
  @minLength(1)
  name: string?
}

@export()
@description('App settings by their own names; docs/settings.md says what each means. What is left out has its default.')
@sealed()
type Settings = {
  @minLength(1)
  MAINTENANCE_WINDOWS: string

  @minLength(11)
  TICK_SCHEDULE: string?

  @minLength(1)
  MAX_CONCURRENT: string?

  @minLength(2)
  DRAIN_TIMEOUT: string?

  @minLength(6)
  DRAIN_TIMEOUT_ACTION: string?

  @minLength(6)
  WINDOW_CLOSES: string?

  @minLength(2)
  EXPECTED_DURATION: string?

  @minValue(1)
  @maxValue(99999999)
  DRAIN_GRACE_PERIOD: int?

  @minLength(1)
  DRAIN_POD_SELECTOR: string?

  @minLength(2)
  DRAIN_SKIP_WAIT_FOR_DELETE: string?

  UNMANAGED_PODS: ('delete' | 'block')?

  @minLength(2)
  REBOOT_TIMEOUT: string?

  @minLength(2)
  REBOOT_INTERVAL: string?

  @minLength(2)
  BEFORE_DRAIN: string?

  @minLength(2)
  BEFORE_REBOOT: string?

  @minLength(2)
  SOAK: string?

  @minLength(2)
  PROBATION: string?

  @minLength(1)
  HOLD: string?

  DRY_RUN: bool?

  @minLength(3)
  @maxLength(63)
  STATE_TABLE: string?

  @description('The addresses are secrets: a Key Vault reference, @Microsoft.KeyVault(SecretUri=https://…), whose vault lets the identity read it.')
  @minLength(40)
  NOTIFY_URLS: string?
}

@export()
@description('The virtual network that the app reaches clusters through. Without one it goes out by addresses of Azure that change.')
@discriminator('kind')
type Network = NewNetwork | ExistingNetwork

@sealed()
type NewNetwork = {
  kind: 'new'

  @description('At least a /26. Its outbound address is fixed: for authorized IP ranges of API servers. For private clusters, peer it.')
  @minLength(9)
  addressPrefix: string

  @description('Storage by private endpoints alone; false unless told.')
  privateStorage: bool?
}

@sealed()
type ExistingNetwork = {
  kind: 'existing'

  @description('At least a /27, delegated to Microsoft.App/environments, used by nothing else.')
  @minLength(100)
  appSubnetId: string

  @description('Given: storage has private endpoints here, and no other way in.')
  @minLength(100)
  endpointSubnetId: string?

  @description('Private DNS zones that are there already and known to the network. Made and linked unless told.')
  dnsZoneIds: { blob: string, table: string }?
}

@export()
@description('Entra sign-in before the pages, beside their key. /api/metrics has its key alone, since what reads it cannot sign in.')
@sealed()
type SignIn = {
  @description('Application (client) id of an app registration that trusts the identity: docs/deploy.md says how it is made.')
  @minLength(36)
  @maxLength(36)
  clientId: string

  @description('Object ids of the groups that may sign in; everybody of the tenant unless told.')
  allowedGroupIds: string[]?
}

@export()
@description('What alerts take for too long. docs/operations.md has a heading for each alert.')
@sealed()
type AlertLimits = {
  @description('Alert no-tick: minutes without a round. For a TICK_SCHEDULE of many minutes it has to be longer than two of its ticks.')
  noTickMinutes: (10 | 15 | 30 | 60 | 120 | 360 | 1440)?

  @description('Alert node-waiting-long. 14 unless told: with a window a week, two of them.')
  @minValue(1)
  @maxValue(365)
  waitingDays: int?

  @description('Alert node-cordoned-long. 6 unless told: longer than the longest DRAIN_TIMEOUT.')
  @minValue(1)
  @maxValue(168)
  cordonedHours: int?

  @description('Alert drain-given-up: how often within two days. 3 unless told.')
  @minValue(1)
  @maxValue(48)
  drainsGivenUp: int?
}

@export()
@description('The id, or the end of the deployment: a wrong one would be told as a scope that is not there.')
func clusterIdOf(id string) string =>
  length(split(id, '/')) == 9 && toLower(join(take(skip(split(id, '/'), 5), 3), '/')) == 'providers/microsoft.containerservice/managedclusters'
    ? id
    : fail('clusters: ${id} is no cluster: expected /subscriptions/…/resourceGroups/…/providers/Microsoft.ContainerService/managedClusters/…')

var keyVaultReference = '@Microsoft.KeyVault('

@export()
@description('The settings, or the end of the deployment: what a deployment was given is kept, for everybody who may read it.')
func withoutSecrets(given Settings) Settings =>
  startsWith(given.?NOTIFY_URLS ?? keyVaultReference, keyVaultReference)
    ? given
    : fail('settings: NOTIFY_URLS: expected ${keyVaultReference}SecretUri=…)')
